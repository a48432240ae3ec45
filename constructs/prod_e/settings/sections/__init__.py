"""What each section of an environment's file may say."""
