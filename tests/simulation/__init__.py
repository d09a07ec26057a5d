"""The whole sync in one process under one seed: both systems, the store, the clock and the scheduler behind seams.

    python -m tests.simulation --histories 1000 --seed 1      many histories; a failing one is shrunk and told
    python -m tests.simulation --replay FILE                  one recorded history (tests/simulation/regressions)
    python -m tests.simulation.kills                          die at every call of every scenario
    python -m tests.simulation.mutations                      put deliberate bugs in; each has to be caught

What runs is the real code: steps' functions, manager, planner, writer, store in memory. What is simulated are the two
systems, time, and who goes on at each call.
"""
