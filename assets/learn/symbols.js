// The symbols of the formula. One is selected, by its button or in the formula itself: its meaning
// is shown, and the triangle shows what it is in the picture.

const FORMULA = ".st-key-learn-formula"; // drawn by Streamlit; each symbol has its own color, see `latex` in ueo_core/learn/formula.py

class Symbols {
  constructor(root) {
    this.host = root.host ?? root;
    this.$ = (name) => root.querySelector(name);
    this.$(".scene").onclick = () => this.send({ go: true });
    this.onclick = (e) => {
      const spot = e.target.closest?.(`${FORMULA} .katex [style*="rgb(0, 0, "]`);
      const number = Number(spot?.style.color.match(/^rgb\(0, 0, (\d+)\)$/)?.[1]);
      if (number && this.data.choosable) this.choose(number - 1);
    };
    document.addEventListener("click", this.onclick);
  }

  end() {
    document.removeEventListener("click", this.onclick);
  }

  update(data, tell) {
    this.tell = tell;
    this.data = data;
    this.host.style.setProperty("--hot", isDark(this.host) ? "#FF8A3D" : "#B44A00");
    if (this.request !== data.chosen) this.request = this.chosen = data.chosen;
    const pills = this.$(".pills");
    pills.hidden = !data.choosable;
    if (!pills.children.length)
      pills.replaceChildren(
        ...data.symbols.map(({ plain, name }, i) => {
          const button = document.createElement("button");
          button.type = "button";
          button.innerHTML = `${plain} ${name}`;
          button.onclick = () => this.choose(i);
          return button;
        })
      );
    this.$(".scene").hidden = !data.leads;
    this.show();
  }

  choose(i) {
    this.chosen = i;
    this.show();
    document.dispatchEvent(new CustomEvent("ueo-learn-look", { detail: this.data.symbols[i].look }));
    this.send({});
  }

  send(more) {
    this.tell("now", { id: Date.now() + Math.random(), symbol: this.data.symbols[this.chosen].key, ...more });
  }

  show() {
    const { plain, name, means, picture, scene } = this.data.symbols[this.chosen];
    [...this.$(".pills").children].forEach((b, i) => b.setAttribute("aria-pressed", i === this.chosen));
    this.$(".means").innerHTML = `<b>${plain}: ${name}.</b> ${means} <b>In the picture:</b> ${picture}`;
    this.$(".scene").textContent = `→ Scene: ${scene}`;
    const formula = document.querySelector(FORMULA);
    if (formula) formula.dataset.chosen = this.chosen + 1;
  }
}

export default mounted(Symbols);
