"""A small implementation of the contract: the model that other authors read. PYTEST_DONT_REWRITE

Found by name like any other implementation; fixtures and judges never import it.
"""
