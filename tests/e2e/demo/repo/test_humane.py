import unittest

from humane import duration, join, size


class Size(unittest.TestCase):
    def test_small_numbers_stay_bytes(self):
        self.assertEqual(size(0), "0 B")
        self.assertEqual(size(1023), "1023 B")

    def test_a_whole_unit(self):
        self.assertEqual(size(1024), "1.0 KiB")
        self.assertEqual(size(1024 ** 2), "1.0 MiB")

    def test_in_between(self):
        self.assertEqual(size(1536), "1.5 KiB")

    def test_the_largest_unit_goes_on(self):
        self.assertEqual(size(5000 * 1024 ** 4), "5000.0 TiB")

    def test_negative(self):
        with self.assertRaises(ValueError):
            size(-1)


class Duration(unittest.TestCase):
    def test_two_parts(self):
        self.assertEqual(duration(3725), "1 h 2 min")

    def test_zero(self):
        self.assertEqual(duration(0), "0 s")


class Join(unittest.TestCase):
    def test_words(self):
        self.assertEqual(join([]), "")
        self.assertEqual(join(["a"]), "a")
        self.assertEqual(join(["a", "b", "c"]), "a, b and c")


if __name__ == "__main__":
    unittest.main()
