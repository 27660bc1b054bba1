"""Any Keras classifier as a fully convolutional network, and its large convolution made quick."""
