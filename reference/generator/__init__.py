"""From a derivation to Python source.

module, functions, composition      whole files, the functions of an operation, the steps of a composition
arrays, code, lookups               index notation as array code: products, contractions, broadcasting, lookups
optional, memory, pairs             absent inputs, arrays that are used again, features in pairs
bounds, bounded_code                the same programs with the rounding error of each step
variants                            functions of other programs than an operation's own: its planted faults
helpers, layout                     the helpers that a file needs, and lines as the formatter would write them
"""
