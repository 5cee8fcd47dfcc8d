"""lgsp-gateway: carries administrative documents between vendors' document systems and the national exchange axis."""
