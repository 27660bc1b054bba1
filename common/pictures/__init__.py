"""Pictures that are no plain plot: people, explorers that follow a slider, boxes drawn into photos."""
