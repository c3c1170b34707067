"""What people look at: pages made on the server, one module per page."""
