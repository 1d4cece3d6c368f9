"""The whole system on one machine, for a first look, a demo, tests and benchmarks.

Starts PostgreSQL, the stream, the three services and the sandbox as processes of their own, with
the same commands and variables as anywhere else; knows the services only by their doors.
"""
