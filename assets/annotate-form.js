// The project's form of Team: values that arrive from the server never overwrite what was typed
// while they were on their way.
window.StudioTeamForm = (() => {
  // As the form was when its values were last asked for: dataset, drafts, filled, guidelines, fields.
  let asked = [];
  const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
  const datasetOf = (filled) => (filled ? JSON.parse(filled)[0] : "");

  // A field that nobody touched meanwhile gets its value; one that was typed in keeps it, and counts
  // as changed. Of another dataset nothing is put over typed text: it is asked for again, along with
  // what was typed.
  const merged = (values, now) => {
    const before = asked.slice(2);
    const typed = now.map((value, place) => place > 0 && !same(value, before[place]));
    if (!typed.includes(true)) return values;
    const whose = datasetOf(before[0]);
    if (whose && whose !== datasetOf(values[0])) {
      setTimeout(() => document.querySelector("#team-refresh")?.click());
      return now;
    }
    return values.map((value, place) => (typed[place] ? now[place] : value));
  };

  return {
    ask(form) {
      asked = form;
      return form;
    },
    // What arrived, and the form as it is now; returns its values.
    fill([arrived, ...now]) {
      if (!arrived) return now;
      const [, ...values] = JSON.parse(arrived);
      return merged(values, now);
    },
  };
})();
