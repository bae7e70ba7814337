"""The conformance suite: one module a contract, one scenario a test, the clause on the test."""
