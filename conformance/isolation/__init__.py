"""Isolation: the target in a process of its own, which may crash, hang or print without end.

`wire` turns problems and runs into bytes and back, `worker` is the loop in the target's process, `zygote` forks such
processes from one that has imported PyTorch, `processes` starts and ends them, `executors` makes calls in one, or in
the judge's own process, and `start` chooses between these.
"""
