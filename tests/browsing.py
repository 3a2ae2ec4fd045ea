"""What tests of pages share: generators with a sample, and what is read from an open page."""

import base64

import numpy as np
import torch
from PIL import Image
from skimage import data as skimage_data

from infomin import data
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

CONTRAST = """() => {
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const ground = (e) => {
    const ink = numbers(getComputedStyle(e).backgroundColor);
    return ink.length === 3 || ink[3] > 0 ? ink.slice(0, 3) : ground(e.parentElement);
  };
  const seen = [];
  for (const e of document.body.querySelectorAll("*:not(script, noscript)")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
    const ink = numbers(svg ? style.fill : style.color).slice(0, 3);
    const pair = [ink, ground(svg ? e.closest("figure") : e)];
    const [dark, bright] = pair.map(light).sort((a, b) => a - b);
    seen.push([(bright + 0.05) / (dark + 0.05), e.outerHTML.slice(0, 80)]);
  }
  return seen;
}"""
"""Contrast of every piece of text with what lies behind it, and where it is."""


def learned(channels=3, **options):
    """A generator that has been moved away from the raw channels."""
    torch.manual_seed(0)
    g = ViewGenerator(channels, **options)
    with torch.no_grad():
        for p in g.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return g.eval().requires_grad_(False)


def sample_of(g, count=24):
    images = data.photos(96, 96, 8, count).test.images.float() / 255
    extra = images.mean(1, keepdim=True).expand(-1, max(0, g.channels - 3), -1, -1)
    return Sample.of(g, torch.cat([images, extra], 1)[:, : g.channels], "photos")


def photograph(path):
    """Write a crop of a real photograph as PNG."""
    Image.fromarray(skimage_data.astronaut()[20:260, 130:410]).save(path)
    return path


def wait_for(tab, name):
    tab.wait_for_function(
        "name => document.getElementById('status').textContent.startsWith(name)", arg=name
    )


def canvases(tab):
    """Read the canvases back: image, then channels of the views; `h w 4`."""
    read = """() => [...document.querySelectorAll("canvas")].map((c) => {
      const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
      return [c.height, c.width, btoa(Array.from(data, (v) => String.fromCharCode(v)).join(""))];
    })"""
    for height, width, values in tab.evaluate(read):
        yield np.frombuffer(base64.b64decode(values), np.uint8).reshape(height, width, 4)
