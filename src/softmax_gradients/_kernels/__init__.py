"""Not public: arithmetic over blocks of rows, class axis last, arguments checked."""
