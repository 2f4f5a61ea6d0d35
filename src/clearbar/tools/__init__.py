"""What can do the work: models behind an endpoint, commands, functions, rules, classifiers."""
