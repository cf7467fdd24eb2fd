module textbook

go 1.21
