"""Text into validated options: what a recipe may say, and how every mistake in one is told."""
