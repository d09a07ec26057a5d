"""EspoCRM 9.2.7 as a real HTTP server: the record API of a Person entity, shared addresses and numbers, webhooks.

Written from observed behaviour (docs of the project name the facts); `tests/contract/` holds recorded exchanges it must
reproduce. `python -m sandbox` serves it beside Advoware.
"""
