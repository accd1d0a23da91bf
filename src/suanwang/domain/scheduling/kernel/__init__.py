"""The compiled core: tables of whole numbers and the loops over them. Nothing else in the project imports numba.

columns     what the tables hold
codes       what numbers in them mean
compiling   how functions are compiled and kept
linking     parts become one piece of code with their entry
addresses   tables are handed over in one word
bits        sets of nodes and of chips
shares      which chip has room for a share, now and later
fragments   what is free and of no use to typical jobs
scores      how well a node suits a job
nodes       free chips, claims of allocations
profile     when nodes become free
closures    what the calendar keeps closed
holds       reservations of one pass
cabinets    gangs in one cabinet, and others in few
placing     which nodes a job gets
search      when enough nodes fit, looked at one by one
queue       the policy's order
fit         what pools can do for a job
owners      reservations of those who go first
waiting     why a job waits, and what it keeps there
filling     jobs that come one by one and never go
entries     what Python calls
"""
