"""What is measured: each module is a case, with its metrics (the rows of the table) and how to get at them."""
