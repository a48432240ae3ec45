resource "aws_db_subnet_group" "example" {
  name       = "example"
  subnet_ids = aws_subnet.example[*].id
}

resource "aws_db_parameter_group" "example" {
  name   = "example"
  family = "postgres16"

  parameter {
    name  = "log_connections"
    value = "1"
  }
}

resource "aws_db_instance" "example" {
  identifier                      = "example"
  allocated_storage               = 20
  storage_type                    = "gp3"
  storage_encrypted               = true
  engine                          = "postgres"
  engine_version                  = "16"
  instance_class                  = "db.t4g.micro"
  db_name                         = "notes"
  username                        = "notes"
  manage_master_user_password     = true
  db_subnet_group_name            = aws_db_subnet_group.example.name
  parameter_group_name            = aws_db_parameter_group.example.name
  vpc_security_group_ids          = [aws_security_group.web.id]
  backup_retention_period         = 7
  enabled_cloudwatch_logs_exports = ["postgresql"]
  skip_final_snapshot             = true
  apply_immediately               = true
}
