"""The loops that move jobs. One leader runs them; `leader.py` is the place to begin reading.

A turn is one transaction: take in new jobs, look at requests, apply what engines observed, resolve dependencies, place
what fits. What must be done outside (launch, stop, release) is saved as intents in that transaction and done after it.
"""
