"""EspoCRM 9.2.7 as a real HTTP server: the record API of a Person entity, shared addresses and numbers, webhooks.

It does what a real 9.2.7 was seen to do; `tests/contract/` holds recorded exchanges it must reproduce.
"""
