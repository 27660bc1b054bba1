"""Explorers of recognition: a face with its nearest neighbours, and the front desk."""
