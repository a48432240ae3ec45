"""The `prod-e` command: what is done with the infrastructure that `prod_e` describes."""
