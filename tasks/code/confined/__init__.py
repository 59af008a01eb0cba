"""What runs on the far side of the sandbox: a fork server and the processes in which programs run.

Only the standard library is imported here, and nothing of ``tasks``: the server is a small process, and what it imports
every program pays for.
"""
