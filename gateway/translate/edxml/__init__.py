"""The edXML packet (QCVN 102:2016/BTTTT with Amendment 1:2022): written as drawn, read tolerantly, checked strictly."""
