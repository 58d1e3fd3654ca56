"""What a careful team would write without this project: the yardsticks of `inquiry-ledger bench`, nothing else."""
