resource "aws_lb" "web" {
  name               = "example-web"
  load_balancer_type = "application"
  security_groups    = [aws_security_group.web.id]
  subnets            = aws_subnet.example[*].id
  idle_timeout       = 30

  depends_on = [aws_internet_gateway.example]
}

resource "aws_lb_target_group" "web" {
  name                 = "example-web"
  port                 = 3000
  protocol             = "HTTP"
  target_type          = "ip"
  vpc_id               = aws_vpc.example.id
  deregistration_delay = 5

  health_check {
    path                = "/health"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200-299"
  }
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

resource "aws_lb_listener_rule" "maintenance" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 10

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "back soon"
      status_code  = "503"
    }
  }

  condition {
    path_pattern {
      values = ["/maintenance*"]
    }
  }

  condition {
    http_request_method {
      values = ["GET", "HEAD"]
    }
  }
}

resource "aws_lb_listener_rule" "moved" {
  listener_arn = aws_lb_listener.web.arn
  priority     = 20

  action {
    type = "redirect"

    redirect {
      path        = "/new"
      status_code = "HTTP_301"
    }
  }

  condition {
    host_header {
      values = ["old.example.com"]
    }
  }
}
