"""Sallyport: apps expose their own REST APIs, the customer decides who may call them."""
