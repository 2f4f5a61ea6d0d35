"""What an answer is worth: graders, judges and the labels of people."""
