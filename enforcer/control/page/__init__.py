"""The live page: what an operator looks at and presses, in a browser, at any hour."""
