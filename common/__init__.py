"""What both tasks share; knows nothing of either (see README, "What each file is")."""
