"""What is copied into an exported model's folder: how rows become ids and values, once more, with numpy alone."""
