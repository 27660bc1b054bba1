"""The network of the FDDB benchmark, which looks at one octave of sizes and leaves the others to an image pyramid: model, samples, training, second look."""
