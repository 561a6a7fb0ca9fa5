"""Programs written as the guides of Keras and TensorFlow write them, on small data.

Each has `train(log_dir)`: trains, observed if there is a folder, and returns its networks by name.
"""
