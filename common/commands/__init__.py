"""What the commands share: files in, answers out as they come, stops, one machine or many."""
