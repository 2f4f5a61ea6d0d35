"""What every stage needs and no stage owns: errors, money, time and the store of small facts."""
