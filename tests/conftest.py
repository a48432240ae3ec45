import prod_e

prod_e.enable_fast_imports()
