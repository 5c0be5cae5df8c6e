"""What the events of logs tell together: requests, sessions, lives of objects. It gets rows and gives typed results."""
