"""The network that the kit carries: model, samples, training, search at every scale."""
