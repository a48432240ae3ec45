"""What a person sees of this AWS: a page in a browser, and the JSON that it asks for."""
