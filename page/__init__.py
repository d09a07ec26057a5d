"""The control page `/kommunikation`: what the command line does, for staff with a browser.

A process of its own, because Motia hands a step its request as a process argument (docs/decisions/020). It only asks and
shows; every decision is made in `services/by_hand.py`.
"""
