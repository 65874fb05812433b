"""The database: tables, connection, cursors, accounts, pseudonyms. Modules here know no HTTP."""
