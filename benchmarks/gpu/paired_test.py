"""What paired.py makes of its options, of nvidia-smi and of both sides' documents; needs neither a GPU nor PyTorch."""
import json
import unittest

import paired
import pytorch_step


def document(rate, memory):
    return {"images_per_s": {"median": rate, "min": rate - 1, "max": rate + 1}, "memory_bytes": memory}


class PairedTest(unittest.TestCase):
    def test_freezing_is_measured_in_training_only(self):
        options = paired.parse(["--models", "resnet50,efficientnet_b4", "--precisions", "fp16"])
        self.assertEqual(list(paired.cases(options)), [
            ("resnet50", "fp16", "train", "none"), ("resnet50", "fp16", "train", "until:layer4"),
            ("resnet50", "fp16", "infer", "none"), ("efficientnet_b4", "fp16", "train", "none"),
            ("efficientnet_b4", "fp16", "train", "until:features.6"), ("efficientnet_b4", "fp16", "infer", "none")])

    def test_the_peer_takes_its_command(self):
        options = paired.parse(["--card", "1", "--steps", "7"])
        case = ("resnet50", "bf16", "infer", "none")
        peer = pytorch_step.parse(paired.peer_command(options, case, "compile")[2:])
        self.assertEqual((peer.model, peer.precision, peer.infer, peer.mode, peer.device, peer.steps),
                         ("resnet50", "bf16", True, "compile", "cuda:1", 7))

    def test_cards(self):
        text = "0, NVIDIA H100 80GB HBM3, 580.65.06, 81559, 700.00\n1, NVIDIA L4, 580.65.06, 23034, [N/A]\n"
        cards = paired.parse_cards(text)
        self.assertEqual([each["name"] for each in cards], ["NVIDIA H100 80GB HBM3", "NVIDIA L4"])
        self.assertEqual(cards[1]["memory_mib"], 23034)
        self.assertEqual(paired.parse_cards(""), [])

    def test_the_faster_peer_is_kept_and_losses_are_stated(self):
        options = paired.parse(["--rounds", "3"])
        speeds = {"eager": 900, "compile": 1000}
        ran = []

        def run(command):
            ran.append(command)
            return document(800, 2e9) if "bench" in command else document(speeds[command[command.index("--mode") + 1]], 3e9)

        case = paired.compare(options, ("resnet50", "bf16", "train", "none"), run)
        self.assertEqual(["bench" in each for each in ran[2:]], [True, False] * 3, "in turn")
        self.assertTrue(all("compile" in each for each in ran[3::2]), "the faster one")
        self.assertEqual(case["ratio"]["median"], 0.8)
        text = paired.table({"machine": {"card": paired.parse_cards("0, NVIDIA L4, 580, 23034, 72.00")[0]},
                             "versions": {"Firn": "abc"}, "options": json.loads(json.dumps(vars(options))), "cases": [case]})
        self.assertIn("# Firn and PyTorch on NVIDIA L4", text)
        self.assertIn("| resnet50 | bf16 | train | none | 800 (800–800) | 1000 (1000–1000) | compile "
                      "| 0.80 (0.80–0.80) | Firn | 2000 / 3000 |", text)


if __name__ == "__main__":
    unittest.main()
