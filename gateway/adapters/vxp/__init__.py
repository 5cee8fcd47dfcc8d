"""The national axis (trục liên thông văn bản quốc gia, VXP) over its REST dialect: axis.md sections 1 to 6 and 8."""
