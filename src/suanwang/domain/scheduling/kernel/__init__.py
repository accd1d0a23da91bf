"""The compiled core: tables of whole numbers and the loops over them. Nothing else in the project imports numba.

columns     what the tables hold
compiling   how functions are compiled and kept
nodes       free chips, claims of allocations
profile     when nodes become free
holds       reservations of one pass
placing     which nodes a job gets
queue       the policy's order
fit         what pools can do for a job
entries     what Python calls
"""
