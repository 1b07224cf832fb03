# The program, the examples and the tests that cross layers.
