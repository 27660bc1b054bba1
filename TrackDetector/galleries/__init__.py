"""A gallery over time: its file, building it photo by photo, what is doubtful in it, changing it."""
