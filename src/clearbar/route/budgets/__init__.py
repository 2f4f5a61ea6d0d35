"""Budgets that hold under concurrency: accounts, leases, holds."""
