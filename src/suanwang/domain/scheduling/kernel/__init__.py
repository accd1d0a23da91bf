"""The compiled core: tables of whole numbers and the loops over them. Nothing else in the project imports numba.

columns     what the tables hold
compiling   how functions are compiled and kept
bits        sets of nodes and of chips
shares      which chip has room for a share, now and later
fragments   what is free and of no use to typical jobs
scores      how well a node suits a job
nodes       free chips, claims of allocations
profile     when nodes become free
holds       reservations of one pass
placing     which nodes a job gets
queue       the policy's order
fit         what pools can do for a job
filling     jobs that come one by one and never go
entries     what Python calls
"""
