"""How an implementation is asked: the operations, and the ways to reach one. PYTEST_DONT_REWRITE"""
