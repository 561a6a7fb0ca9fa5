"""The TensorBoard plugin: routes that serve recorded runs."""
